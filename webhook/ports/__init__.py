"""Ports that anybody in the cluster can reach: connections bounded in number, each kept to whole deadlines, fair to every peer.

The server's two ports and the controller's stand on this; it knows neither. It decides nothing about requests.
"""
