"""What the commands of `vault-webhook` do; `webhook.cli` reads argv and environment and calls them."""
