"""What is looked for, a module for each subject: functions from facts to findings."""
