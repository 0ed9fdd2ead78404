"""The public Python interface behind ``import trading_lib``: prices, backtest, stress test and sweep, without services.

It sits on the workflows, as the command line does, so that both give the same figures. Nothing is written that was not
asked for, no service is spoken to, and `trading_lib` imports a part of it when it is first used.
"""
