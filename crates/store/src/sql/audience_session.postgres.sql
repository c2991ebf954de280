-- audience_session: right after an import the planner guesses high and compiles each page for longer than it runs
SELECT set_config('jit', 'off', false)
