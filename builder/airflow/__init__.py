"""Nights on Airflow, with any executor: a provider of operators, and a DAG made from a project's stacks.

Needs `airflow-kubler[airflow]`: this package is imported where Airflow runs, and by nothing else here. To change the tasks
that a night has, edit builder/usecase/night.py; what one of them does, builder/wiring/night_tasks.py; how Airflow is told,
operators.py; which runs after which, dag.py.
"""
