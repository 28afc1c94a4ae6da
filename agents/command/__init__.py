"""From commands to orders: what operators and the platform ask for, told to the owners of contacts."""
