"""What is asked before a send: may this be sent to this address?"""
