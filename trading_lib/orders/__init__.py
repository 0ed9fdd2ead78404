"""Order generation: approved weights and holdings -> orders, and the pre-trade checks of every order."""
