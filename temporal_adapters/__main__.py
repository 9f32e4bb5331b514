"""`python -m temporal_adapters demo` is `ta demo`, for those whose shell does not find `ta`."""

from temporal_adapters.cli import main

if __name__ == "__main__":
    main()
