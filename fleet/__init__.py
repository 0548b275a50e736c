"""What runs on this machine: environments, a private Redis, and the processes of the pools."""
