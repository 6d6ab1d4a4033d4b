"""What the commands do, one a file: `run(options)` drives the library's generators and shows how far they are."""
