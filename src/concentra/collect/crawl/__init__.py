"""The crawl engine: whom to ask next, how often, how long to wait, what became of each. It opens no socket.

==============  =================================================================================
announcements   what somebody told of a node
known_nodes     what is known of one node while a crawl lasts, and its rows
admission       whom a crawl may contact at all, and how much one place may take up
frontier        the nodes still to be asked: fair to every network that told of them
budget          how many may be asked a second, in all and in one /24
patience        how long to wait for an answer
engine          frontier, budget and patience together; one driver speaks one protocol
discv4_driver   bond, record and table of a node over discv4; answers others as a node should
discv5_driver   the same over discv5.1
==============  =================================================================================
"""
