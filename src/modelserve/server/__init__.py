"""The inference server: one data plane behind REST and gRPC."""
