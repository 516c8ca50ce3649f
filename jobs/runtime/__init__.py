"""What the parts of one run share: its policy, its pace, the provider's health, the balance."""
