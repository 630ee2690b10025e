"""EfficientNet-lite0: a small network that knows the thousand kinds of things of ImageNet.

Architecture: Tan & Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", without
squeeze-and-excitation and with ReLU6 instead of swish, as the authors' "lite" variants have it.
"""

import torch
from torch import nn
from torch.nn import functional as F

SIDE = 224  # of the pictures it was trained on
CLASSES = 1000
MEAN = (0.485, 0.456, 0.406)  # of ImageNet's pixels in 0..1
DEVIATION = (0.229, 0.224, 0.225)
# Kernel, stride of the first block, how much wider inside, channels, blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's SAME: the odd row goes to the bottom, the odd column to the right."""

    def forward(self, x):
        paddings = []
        for side in (x.shape[3], x.shape[2]):
            kernel, stride = self.kernel_size[0], self.stride[0]
            total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
            paddings += [total // 2, total - total // 2]
        return super().forward(F.pad(x, paddings))


def normalized(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


class Block(nn.Module):
    """Widen, filter each channel, narrow; added to the input where the shapes allow."""

    def __init__(self, inputs, outputs, kernel, stride, expansion):
        super().__init__()
        wide = inputs * expansion
        if expansion > 1:
            self.expand_conv = SameConv(inputs, wide, 1, bias=False)
            self.bn0 = normalized(wide)
        self.depthwise_conv = SameConv(wide, wide, kernel, stride, groups=wide, bias=False)
        self.bn1 = normalized(wide)
        self.project_conv = SameConv(wide, outputs, 1, bias=False)
        self.bn2 = normalized(outputs)
        self.expands = expansion > 1
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x):
        wide = F.relu6(self.bn0(self.expand_conv(x))) if self.expands else x
        wide = F.relu6(self.bn1(self.depthwise_conv(wide)))
        narrow = self.bn2(self.project_conv(wide))
        return x + narrow if self.adds else narrow


class EfficientNetLite0(nn.Module):
    """(N, 3, H, W) RGB in 0..1 to (N, CLASSES) scores."""

    def __init__(self):
        super().__init__()
        self.conv_stem = SameConv(3, 32, 3, 2, bias=False)
        self.bn0 = normalized(32)
        blocks, channels = [], 32
        for kernel, first_stride, expansion, outputs, count in STAGES:
            for index in range(count):
                stride = 1 if index else first_stride
                blocks.append(Block(channels, outputs, kernel, stride, expansion))
                channels = outputs
        self.blocks = nn.ModuleList(blocks)
        self.conv_head = SameConv(channels, 1280, 1, bias=False)
        self.bn1 = normalized(1280)
        self.fc = nn.Linear(1280, CLASSES)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).view(3, 1, 1), persistent=False)

    def forward(self, x):
        x = F.relu6(self.bn0(self.conv_stem((x - self.mean) / self.deviation)))
        for block in self.blocks:
            x = block(x)
        return self.fc(F.relu6(self.bn1(self.conv_head(x))).mean(dim=(2, 3)))


def load(path):
    """The network with the published weights, ready for inference on the CPU."""
    published = torch.load(path, map_location="cpu", weights_only=True)
    # "_blocks.0._bn1.weight" there is "blocks.0.bn1.weight" here
    state = {".".join(p.lstrip("_") for p in name.split(".")): v for name, v in published.items()}
    network = EfficientNetLite0()
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)
