"""The checks room: figures and checks, in an environment of their own so that the command line stays light."""
