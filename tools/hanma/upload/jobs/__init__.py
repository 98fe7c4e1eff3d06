"""Welding jobs, from platform to platform (重庆): what terminals and the enterprise tell of them becomes the four reports.

facts      what was said, ordered and answered, one fact at a time
entering   what the enterprise enters of a job
merging    jobs out of facts, whatever order they came in
store      facts, record numbers and people on disk
follow     where facts come from: the bench's journal, a broker
mapping    what the platform calls things: a TOML file
reports    jobs and states into what goes out
client     sends a report, asks for what is there
compare    ours against theirs
"""
