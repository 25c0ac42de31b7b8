"""A private control plane: MariaDB, RabbitMQ, keystone, glance, placement, neutron, cinder, nova."""
