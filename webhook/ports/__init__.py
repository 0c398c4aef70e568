"""Ports that anybody in the cluster can reach: connections bounded in number, each kept to whole deadlines, fair to every peer.

The server's two ports stand on this; it knows neither server nor controller, so that the controller's can as well.
It decides nothing about requests.
"""
