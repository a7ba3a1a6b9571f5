"""Entry point of the console script `airflow-kubler`."""

from builder.cli.root import main

if __name__ == "__main__":
    main()
