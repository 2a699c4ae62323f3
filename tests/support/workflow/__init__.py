"""What tests of whole runs share: a project that is edited, and what a run printed and wrote."""
