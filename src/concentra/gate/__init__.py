"""Thresholds on an audit: a policy is read, each rule is judged, and the answer is one of three.

A gate fails closed: an empty policy, data that are too old or too little coverage never pass.
"""
