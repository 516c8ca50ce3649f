"""The provider's API on this machine: a pure world, faults on request, real little videos."""
