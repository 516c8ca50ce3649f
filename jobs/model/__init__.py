"""What everything else is made of: states, money, requests, what is asked of a provider."""
