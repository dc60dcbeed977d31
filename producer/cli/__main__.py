"""``python -m producer.cli``, for where the script is not on PATH."""

from producer.cli import main

if __name__ == "__main__":
    main()
