"""A host and its tenants on one machine: what ./run and the smoke tests are made of."""
