"""Exports of HubSpot, Salesforce, Dynamics 365, Odoo and Pipedrive, as they come.

``recognise.recognises`` and ``reading.read`` are what the import asks of a source.
"""
