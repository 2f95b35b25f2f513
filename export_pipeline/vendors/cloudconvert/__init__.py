"""CloudConvert (seed 003): the files of finished jobs and tasks, exported in seven ways."""
