"""Objects of Kubernetes that claim a Vault role, each read as the login it will try, with the names of its own fields."""
