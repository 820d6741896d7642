"""Who runs and who watches: supervisor, workers, shadow worker.

    bootstrap     from settings to a supervisor that is ready to run
    supervisor    follows the control plane, keeps the others alive, speaks for all of them
    child, entry  a child process through its generations, and how it begins
    messages      what supervisor and processes say to each other, one class a message
    worker, worker_settings
                  one serving process
    workers       what each worker says of itself, and what all are told
    shadow/       the shadow worker as a process, and the supervisor's side of it

What the supervisor does for the workers:

    listeners, hand_over
                  the sockets of the facade, kept over restarts and handed to a successor
    table_feed, materials
                  tables, and the files that they name, on their way to the workers
    load_memory, legacy_load
                  what each legacy backend carries, counted in memory that workers share
    memory        how much memory there is, and what is done where it is less
    state_lock    one proxy a state folder

What it says to others:

    acknowledge   to the control plane: which worker serves which revision
    collector, quarantine
                  what the workers count, and leave out of the table, added up
    private       the private listener: live, ready, metrics
    look          a command of its own: what the facade would make of legacy's answers
"""
