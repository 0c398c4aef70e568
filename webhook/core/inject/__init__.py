"""What is added to a pod: an Intent to a Plan, and a Plan to the operations of a JSON patch."""
