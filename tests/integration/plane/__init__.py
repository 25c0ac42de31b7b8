"""A private control plane on loopback: MariaDB, RabbitMQ, keystone, glance, placement, neutron, nova."""
