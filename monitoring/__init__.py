"""What watches a relay from outside: Flower; files for Prometheus and Grafana."""
