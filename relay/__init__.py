"""The contract that producer and workers speak: configuration, tensors, keys, jobs, queues."""
