"""What each kernel of the course runs when it starts, before any cell: see notebooks/workshop/restarted.py.

`python3 notebooks` puts this into .venv/etc/ipython, the Binder image into /usr/local/etc/ipython.
"""

# By its path, because to import the package takes seconds; no name stays behind.
START = """
def _start():
    import importlib.util, pathlib, runpy
    course = importlib.util.find_spec("workshop")
    for folder in course.submodule_search_locations if course else ():
        module = pathlib.Path(folder, "restarted.py")
        if module.exists():
            runpy.run_path(str(module))["watch"](get_ipython())
_start()
del _start
"""

config = get_config()  # type: ignore[name-defined]  # noqa: F821  # IPython gives it
config.InteractiveShellApp.exec_lines = [START]
# Errors only: recent kernels warn at each start that they speak without encryption, and they listen on 127.0.0.1 alone.
config.IPKernelApp.log_level = 40
