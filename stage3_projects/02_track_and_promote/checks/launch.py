"""Starts a script as `python3 SCRIPT` in FOLDER would, in a process that has everything imported already.

python3 launch.py FOLDER SCRIPT ARGUMENTS…
"""

import os
import runpy
import sys
import warnings

sys.modules.setdefault("feast.infra.data_sources.mlflow.auth", None)  # spares every command Feast's seconds
warnings.filterwarnings("ignore", message="Failure attempting to register request header provider")
if requirements := sys.modules.get("mlflow.utils.requirements_utils"):
    requirements._MODULES_TO_PACKAGES = {"sklearn": ["scikit-learn"]}  # nor need each read what is installed
folder = os.path.abspath(sys.argv[1])
os.chdir(folder)
sys.argv = sys.argv[2:]
sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
