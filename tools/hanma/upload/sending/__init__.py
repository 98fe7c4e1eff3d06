"""How records reach an authority: transport carries, shantou and jiangsu speak, worker drains the outbox."""
