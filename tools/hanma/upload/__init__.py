"""The uploader: what a site records goes to its authority, complete, true and checked.

One engine serves every authority: the documents are data (data/*.json), read by `catalogue`. A record goes

    reading → coding → checking → outbox → sending

and no room invents a value of fact on the way: what is missing stops the record, with its reason.
"""
