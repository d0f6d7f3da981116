INSERT INTO {{ table.full_name }} (
  {{ table.columns | join(',\n  ') }}
)
{% include 'processors/' + table.name + '.sql' %}
