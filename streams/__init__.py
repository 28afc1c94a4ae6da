"""How it runs: the Faust app, its topics, tables, store, batching, web and command line."""
