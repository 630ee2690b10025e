"""The 256 default label colours, by label id.

Palette `glasbey_bw` of colorcet 3.2.1 (https://colorcet.holoviz.org, James A. Bednar and others), licensed CC-BY 4.0;
changed only in form: fractions c written as int(c * 255). Method: Glasbey, van der Heijden, Toh, Gray 2007, "Colour
displays for categorical images".
"""

from __future__ import annotations

_HEX = """
d60000 8c3bff 018700 00acc6 97ff00 ff7ed1 6b004f ffa52f 00009c 857067 004942 4f2a00
00fdcf bcb6ff 95b379 bf03b8 2466a1 280041 dbb3af fdf490 4f445b a37c00 ff7066 3f806e
82000c a37bb3 344d00 9ae4ff eb0077 2d000a 5d90ff 00c61f 5701aa 001d00 9a4600 959ea5
9a425b 001f31 c8c300 ffcfff 00bd9a 3615ff 2d2424 df57ff bde6bf 7e4497 524f3b d86600
647438 c17287 6e7489 809c03 bd8a64 623338 cacdda 6beb82 213f69 a17eff fd03ca 75bcfd
d8c382 cda3cd 6d4f00 006974 469e5d 93c6bf f9ff00 bf5444 00643b 5b4fa8 521f64 4f5eff
7e8e77 b808f9 8a91c3 b30034 87607e 9e0075 ffddc3 500800 1a0800 4b89b5 00dfdf c8fff9
2f3415 ff2646 ff97aa 03001a c860b1 c3a136 7c4f3a f99e77 566464 d193ff 2d1f69 411a34
af9397 629e99 bcdd7b ff5d93 0f2823 b8bdac 743b64 0f000c 7e6ebc 9e6b3b ff4600 7e0087
ffcd3d 2f3b42 fda5ff 89013d 752b01 0a8995 050052 8ed631 52c372 465970 570121 a52101
90934b 00421d 8000d1 2f263f bf3883 f4ffd4 00d3ff 6900f7 9cbad1 79d8aa 69565d 006905
36369c 018246 441d18 07a5ef ff802f a754b8 675982 72ffff d88701 bad3ff 8e362f a7a080
007ce2 8e7e8e 994487 00f034 aeaac8 a06062 4b3a77 6b8282 f0dde6 ffbad3 38a523 b3ffa8
0c1107 d6526e 959efd 7c7e00 759eb8 db877e 111318 d482d4 9e00bf dbefff 8eaa9a 706442
493b3d 084d5e 9cb844 d8ddd4 caff6b b364eb 465d33 009e7c c14100 4fbcba d88ab1 5b72b5
4b4101 95825d 49748a ff72ff 82691c dbcfff 7e6bfd 627560 ffc191 595d00 e408e6 b8b1b6
d32d41 314236 d8a362 5b8a33 2f1f00 97e6d6 2a6256 cd724d 5d3d28 0059d8 ac93d6 6b1d93
b3015d 410046 9cffcf e4489c e2e246 dbe2a5 002859 aa5b82 0000db 4b4d50 dabfd4 004d99
87649e 691d1c 8e52c4 b8dadf ddb3fd 7b4854 4b7200 440077 b15e00 91d185 54334b 69af85
aa93af e65442 8e8c89 70ac50 aa7c74 00343b 240f13 e6af00 79ccdb 18133a 9c5238 ba7b31
b6ca93 310800 a39505 00daba 74a0dd 623b72 ffda8e 77b800 3f2f1c 578759 2d0021 f4a1d4
da00aa 752849 bce400 c3c15d
"""

GLASBEY_BW: list[list[int]] = [list(bytes.fromhex(colour)) for colour in _HEX.split()]
