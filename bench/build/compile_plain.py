"""The floor's compiler: plain bytecode of every source in a list, nothing else. Run by the base's own interpreter."""

import marshal
import sys
import warnings


def main() -> None:
    warnings.simplefilter("ignore")
    with open(sys.argv[1]) as names:  # noqa: PTH123 (pathlib costs the floor an import)
        for name in names.read().split("\n"):
            with open(name, "rb") as stream:  # noqa: PTH123
                source = stream.read()
            try:
                marshal.dumps(compile(source, name, "exec", dont_inherit=True, optimize=0))
            except (SyntaxError, ValueError):
                continue


main()
