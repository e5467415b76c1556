"""An image classifier: any torchvision ResNet behind the V1 and V2 protocols."""
