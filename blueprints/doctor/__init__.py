"""Whether an account can take a stack: what its template needs, asked of the AWS APIs before it is deployed."""
