"""The merge by e-mail: a mail to each recipient over SMTP, nobody twice. Read `run` first."""
