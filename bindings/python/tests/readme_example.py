"""Runs the first example of a README, whose path is given: where nothing but the package is."""

import pathlib
import sys

readme = pathlib.Path(sys.argv[1])
code = readme.read_text().split("```python\n")[1].split("```")[0]
exec(compile(code, str(readme), "exec"), {})
