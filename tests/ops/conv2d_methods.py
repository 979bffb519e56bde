"""Which methods compute a convolution.

test_conv2d.py holds csrc/conv/conv2d_choose.h against this table.

The sizes come in pairs that differ by one step of one number, on both sides of every border between
two methods. A change of a method's limits changes lines here, on purpose.

N C H W, K G R S, strides, padding (top bottom left right), dilations: methods of y, dx, dw; dx at
stride 1 can be the y of the flipped filters by another method.
"""

METHODS = """
1 6 8 8, 5 1 4 4, 1 1, 1 1 1 1, 1 2: columns; columns; columns
1 19 6 6, 2048 1 1 1, 3 2, 0 1 3 2, 2 2: columns; columns; columns
1 24 9 42, 384 1 2 3, 5 4, 2 2 2 0, 1 1: pixels; columns; columns
1 25 12 12, 128 1 9 9, 5 4, 1 0 1 0, 1 1: columns; columns; columns
1 44 57 63, 44 4 11 1, 2 1, 10 10 1 2, 1 1: columns; columns; columns
1 128 24 24, 256 128 1 1025, 5 4, 0 0 3069 3069, 3 3: columns; columns; columns
3 96 11 11, 81 3 3 3, 3 2, 6 5 1 0, 3 3: pixels; columns; columns
3 128 11 29, 2176 128 5 5, 3 2, 1 0 3 3, 2 4: pixels; columns; columns
4 2 62 1300, 32 2 2 1024, 3 2, 3 2 3 3, 1 1: columns; columns; columns
4 8 4 4, 127 1 3 3, 2 1, 0 0 2 3, 1 1: pixels; columns; columns
5 64 27 27, 352 32 3 2, 4 5, 2 2 0 0, 3 3: pixels; columns; columns
5 136 49 49, 16 4 5 5, 1 2, 1 1 1 1, 3 3: pixels; pixels; columns
5 640 17 4, 640 1 3 3, 2 2, 2 2 1 0, 2 1: columns; columns; columns
7 3 50 50, 6 3 1 1025, 1 1, 0 0 1534 1534, 3 3: columns; columns; columns
8 42 64 64, 2 2 2 2, 2 1, 2 3 2 2, 2 2: columns; columns; columns
32 2 54 54, 34 2 1 3, 4 4, 3 4 3 2, 2 3: columns; columns; columns
32 16 32 55, 48 8 11 1, 1 2, 1 1 1 1, 1 1: columns; columns; columns
120 320 1024 13, 576 32 1 1, 3 2, 0 0 3 2, 1 1: columns; columns; columns
256 1 51 51, 2 1 2 1024, 4 4, 3 3 1023 1021, 1 2: columns; columns; columns
256 7 44 44, 34 1 2 1, 4 3, 1 1 2 1, 1 1: columns; columns; columns
1 240 17 17, 4080 240 9 9, 2 1, 4 4 4 4, 1 1: pixels; columns; taps
1 2048 4 4, 22 1 4 3, 1 1, 0 0 3 3, 1 1: pixels; columns; taps
1 2048 25 25, 192 1 3 3, 2 1, 2 2 0 0, 1 1: columns; columns; taps
2 1 49 49, 27 1 3 3, 1 2, 0 0 2 2, 1 1: pixels; columns; taps
3 96 10 20, 1024 8 3 3, 1 1, 1 1 0 0, 1 1: pixels; columns; taps
4 2 67 31, 34 2 7 7, 2 1, 6 6 3 3, 1 1: pixels; columns; taps
4 8 4 4, 127 1 3 3, 1 1, 0 0 2 3, 1 1: pixels; columns; taps
5 11 512 512, 129 1 3 2, 1 1, 2 2 2 3, 1 1: pixels; columns; taps
7 256 46 46, 2048 1 3 3, 1 2, 1 2 1 2, 1 1: columns; columns; taps
19 6 15 47, 255 1 3 3, 1 1, 1 2 1 1, 2 1: pixels; columns; taps
64 64 16 16, 1088 64 3 12, 1 1, 1 1 0 1, 1 1: pixels; columns; taps
120 195 68 68, 12 3 3 3, 1 2, 2 3 0 0, 1 1: pixels; pixels; taps
757 288 17 17, 352 32 3 3, 2 1, 0 0 1 1, 1 1: columns; columns; taps
1 33 33 46, 60 3 1 1, 1 1, 0 0 0 0, 2 1: columns; flipped, columns; columns
1 2048 1 16, 10 1 3 1, 1 1, 2 2 0 0, 1 1: columns; flipped, pixels; columns
5 39 9 9, 27 3 1 1, 1 1, 0 0 0 0, 1 1: columns; flipped, columns; columns
8 2048 3000 24, 56 8 4 4, 1 1, 3 3 3 3, 2 2: columns; flipped, pixels; columns
256 64 52 52, 960 64 1 1025, 1 1, 0 1 3069 3069, 2 3: columns; flipped, columns; columns
1 127 6 6, 63 1 3 2, 1 1, 0 0 1 1, 1 1: pixels; flipped, pixels; taps
2 520 10 5000, 184 8 3 3, 1 1, 0 0 2 2, 1 1: columns; flipped, columns; taps
3 512 5 4, 48 2 3 3, 1 1, 1 1 1 1, 1 1: pixels; flipped, pixels; taps
3 2048 1 1, 127 1 3 3, 1 1, 3 3 2 2, 1 1: columns; flipped, columns; taps
4 48 2 2, 64 4 3 4, 1 1, 1 1 2 2, 1 1: pixels; flipped, pixels; taps
7 272 3000 3000, 280 8 3 3, 1 1, 2 2 1 1, 1 1: columns; flipped, columns; taps
19 18 29 8, 20 1 2 3, 1 1, 0 0 0 0, 1 1: pixels; flipped, pixels; taps
120 4 1 1, 6 2 3 3, 1 1, 2 2 1 1, 1 1: columns; flipped, columns; taps
120 195 68 68, 12 3 3 3, 1 1, 2 3 0 0, 1 1: columns; flipped, pixels; taps
1 33 33 46, 60 3 1 1, 1 1, 0 0 1 0, 2 1: columns; flipped, direct; columns
7 4 1 4, 260 4 3 3, 1 1, 1 1 0 1, 1 1: columns; flipped, direct; columns
1 7 38 49, 26 1 3 3, 1 1, 0 0 3 3, 1 1: pixels; flipped, direct; taps
2 1 49 49, 27 1 3 3, 1 1, 0 0 2 2, 1 1: columns; flipped, direct; taps
2 16 6 6, 18 1 2 3, 1 1, 0 0 1 2, 1 1: pixels; flipped, pixels; taps
3 96 10 20, 1024 8 2 3, 1 1, 1 1 0 0, 1 1: pixels; flipped, direct; taps
7 4 1 4, 260 4 3 3, 1 1, 1 1 1 1, 1 1: columns; flipped, direct; taps
19 5 5 5, 11 1 3 3, 1 1, 3 3 0 0, 1 1: columns; flipped, direct; taps
19 48 14 14, 140 4 3 3, 1 1, 0 0 2 2, 1 1: pixels; flipped, direct; taps
64 8 62 27, 136 8 3 3, 1 1, 2 2 3 3, 1 1: columns; flipped, direct; taps
1 2048 1 16, 11 1 3 1, 1 1, 2 2 0 0, 1 1: columns; flipped, few; columns
1 2048 4 4, 22 1 3 3, 1 1, 0 0 3 3, 1 1: pixels; flipped, few; taps
3 2048 1 2, 127 1 3 3, 1 1, 3 3 2 2, 1 1: columns; flipped, few; taps
8 2048 3000 24, 64 8 4 4, 1 1, 3 3 3 3, 2 2: columns; flipped, pixels; columns
2 16 6 6, 18 1 3 3, 1 1, 0 0 1 2, 1 1: pixels; flipped, pixels; taps
2 520 10 5000, 184 8 3 3, 1 2, 0 0 2 2, 1 1: columns; pixels; taps
7 272 3000 3000, 280 8 3 3, 2 1, 2 2 1 1, 1 1: columns; pixels; taps
19 48 14 14, 140 4 3 3, 2 1, 0 0 2 2, 1 1: pixels; pixels; taps
5 136 49 49, 16 4 5 5, 1 1, 1 1 1 1, 3 3: direct; columns; columns
556 23 4 11, 2 1 3 3, 1 1, 1 1 3 4, 2 2: direct; columns; columns
256 26 5 5, 5 1 3 3, 1 1, 0 1 0 1, 1 1: direct; columns; taps
1 1 16 16, 5 1 3 3, 1 1, 0 0 1 1, 1 1: direct; direct; direct
1 128 24 24, 256 128 1 1024, 5 4, 0 0 3069 3069, 3 3: direct; direct; direct
1 240 17 17, 3840 240 9 9, 2 1, 4 4 4 4, 1 1: pixels; direct; direct
4 2 62 1300, 32 2 1 1024, 3 2, 3 2 3 3, 1 1: direct; direct; direct
4 2 67 31, 32 2 7 7, 2 1, 6 6 3 3, 1 1: direct; direct; direct
5 32 27 27, 352 32 3 2, 4 5, 2 2 0 0, 3 3: direct; direct; direct
7 3 50 50, 6 3 1 1024, 1 1, 0 0 1534 1534, 3 3: direct; direct; direct
32 2 54 54, 32 2 1 3, 4 4, 3 4 3 2, 2 3: direct; direct; direct
32 8 32 55, 48 8 11 1, 1 2, 1 1 1 1, 1 1: direct; direct; direct
64 8 62 27, 128 8 3 3, 1 1, 2 2 3 3, 1 1: direct; direct; direct
120 2 1 1, 6 2 3 3, 1 1, 2 2 1 1, 1 1: direct; direct; direct
256 1 51 51, 2 1 1 1024, 4 4, 3 3 1023 1021, 1 2: direct; direct; direct
256 64 52 52, 960 64 1 1024, 1 1, 0 1 3069 3069, 2 3: direct; direct; direct
8 42 64 64, 2 2 2 2, 1 1, 2 3 2 2, 2 2: direct; flipped, columns; columns
256 17 35 35, 10 1 1 1, 1 1, 2 3 1 2, 2 1: direct; flipped, columns; columns
556 23 4 11, 2 1 3 3, 1 1, 1 1 3 4, 1 2: direct; flipped, pixels; columns
1 102 59 17, 48 3 3 2, 1 1, 0 0 3 3, 1 1: direct; flipped, pixels; taps
4 48 2 2, 64 4 3 3, 1 1, 1 1 2 2, 1 1: pixels; flipped, pixels; taps
5 24 58 58, 13 1 2 3, 1 1, 1 1 2 2, 1 1: direct; flipped, pixels; taps
5 24 67 67, 12 1 3 2, 1 1, 1 1 0 1, 1 1: direct; flipped, pixels; taps
8 34 9 9, 15 1 3 2, 1 1, 2 3 1 1, 1 1: direct; flipped, pixels; taps
16 25 66 13, 9 1 3 3, 1 1, 1 1 2 2, 1 1: direct; flipped, pixels; taps
120 17 42 42, 16 1 2 3, 1 1, 1 1 3 3, 1 1: direct; flipped, pixels; taps
256 26 5 5, 5 1 3 3, 1 1, 0 1 1 1, 1 1: direct; flipped, pixels; taps
1 44 57 63, 44 4 11 1, 1 1, 10 10 1 2, 1 1: direct; flipped, direct; columns
5 39 9 9, 27 3 2 1, 1 1, 0 0 0 0, 1 1: direct; flipped, direct; columns
256 16 35 35, 10 1 1 1, 1 1, 2 3 1 2, 2 1: direct; flipped, direct; columns
1 2 16 16, 5 1 3 3, 1 1, 0 0 1 1, 1 1: direct; flipped, direct; taps
1 6 8 8, 5 1 4 4, 1 1, 1 1 1 1, 1 1: direct; flipped, direct; taps
16 8 68 68, 48 4 3 3, 1 1, 1 1 0 0, 1 1: direct; flipped, direct; taps
19 5 5 5, 11 1 3 3, 1 1, 3 3 0 1, 1 1: direct; flipped, direct; taps
757 288 17 17, 352 32 3 3, 1 1, 0 0 1 1, 1 1: direct; flipped, direct; taps
1 102 59 17, 48 3 3 3, 1 1, 0 0 3 3, 1 1: direct; flipped, pixels; taps
2 38 29 28, 15 1 3 3, 1 1, 1 2 0 0, 1 1: direct; flipped, pixels; taps
2 40 24 24, 32 2 3 3, 1 1, 0 0 0 0, 1 1: direct; flipped, pixels; taps
8 296 23 56, 120 8 3 3, 1 1, 0 1 0 1, 2 1: direct; flipped, pixels; taps
120 17 42 42, 16 1 3 3, 1 1, 1 1 3 3, 1 1: direct; flipped, pixels; taps
3 38 29 28, 15 1 3 3, 1 1, 1 2 0 0, 1 1: direct; flipped, winograd; taps
5 24 58 58, 13 1 3 3, 1 1, 1 1 2 2, 1 1: direct; flipped, winograd; taps
5 24 67 67, 12 1 3 3, 1 1, 1 1 0 1, 1 1: direct; flipped, winograd; taps
5 96 31 31, 16 1 3 3, 1 1, 1 1 1 1, 1 1: direct; flipped, winograd; taps
16 25 66 12, 9 1 3 3, 1 1, 1 1 2 2, 1 1: direct; flipped, winograd; taps
19 25 12 12, 16 1 3 3, 1 1, 0 0 2 2, 1 1: direct; flipped, winograd; taps
1 19 6 6, 2048 1 1 2, 3 2, 0 1 3 2, 2 2: few; columns; columns
1 24 9 42, 384 1 3 3, 5 4, 2 2 2 0, 1 1: few; columns; columns
1 25 12 12, 128 1 9 9, 5 4, 1 1 1 0, 1 1: few; columns; columns
1 128 32 5, 384 1 3 3, 1 1, 1 1 0 1, 1 2: few; columns; columns
1 192 34 34, 384 1 2 2, 5 4, 2 1 1 1, 2 3: few; columns; columns
1 640 7 7, 2048 1 3 3, 1 1, 0 0 2 3, 1 1: few; columns; columns
5 9 57 60, 300 1 20 20, 4 4, 1 0 1 0, 1 3: few; columns; columns
5 640 17 4, 640 1 3 3, 2 2, 2 2 0 0, 2 1: few; columns; columns
32 17 1 1, 1024 1 3 3, 1 1, 1 1 2 1, 1 1: few; columns; columns
1 256 6 6, 36 1 3 3, 1 1, 0 1 1 1, 2 1: few; columns; taps
1 127 6 6, 63 1 3 3, 1 1, 0 0 1 1, 1 1: few; flipped, few; taps
1 129 1 60, 63 1 3 3, 1 1, 1 1 2 2, 1 1: few; flipped, few; taps
1 256 6 6, 36 1 3 3, 1 1, 0 1 1 1, 1 1: few; flipped, few; taps
1 255 32 32, 128 1 5 5, 3 3, 1 1 1 1, 3 3: few; pixels; columns
1 192 17 17, 256 1 1 3, 2 1, 0 0 1 1, 1 2: pixels; columns; columns
1 192 34 34, 384 1 2 2, 5 4, 3 1 1 1, 2 3: pixels; columns; columns
3 128 11 29, 2176 128 5 5, 3 2, 1 0 3 3, 2 3: pixels; columns; columns
5 9 57 60, 300 1 20 20, 4 4, 1 0 1 0, 1 2: pixels; columns; columns
7 24 6 8, 1024 1 3 3, 1 1, 1 1 2 2, 1 2: pixels; columns; columns
7 64 1 17, 384 1 3 3, 1 1, 2 2 1 1, 2 1: pixels; columns; columns
16 52 3 224, 42 2 3 3, 1 1, 0 0 1 1, 1 2: pixels; columns; columns
32 17 1 1, 1024 1 3 3, 1 1, 1 1 2 2, 1 1: pixels; columns; columns
64 13 27 15, 24 1 3 2, 3 3, 2 0 3 1, 2 3: pixels; columns; columns
2 31 28 28, 2048 1 2 3, 1 1, 1 1 2 2, 1 1: pixels; columns; taps
2 72 56 45, 42 3 3 3, 2 1, 0 1 0 0, 1 1: pixels; pixels; taps
3 9 26 26, 127 1 3 3, 1 2, 1 1 1 1, 1 1: pixels; columns; taps
3 512 64 66, 1024 32 3 3, 1 1, 0 0 1 3, 1 1: pixels; columns; taps
16 8 68 68, 48 4 3 3, 1 2, 1 1 0 0, 1 1: pixels; columns; taps
16 52 3 224, 42 2 3 3, 1 1, 0 0 1 1, 1 1: pixels; columns; taps
19 27 50 50, 64 1 3 3, 1 1, 2 2 0 0, 2 1: pixels; columns; taps
32 129 27 27, 256 1 3 4, 1 1, 0 0 1 1, 1 1: pixels; columns; taps
64 29 54 60, 192 1 1 2, 1 3, 0 0 0 0, 1 1: pixels; columns; taps
64 64 16 16, 1088 64 3 12, 1 2, 1 1 0 1, 1 1: pixels; columns; taps
120 320 1024 13, 576 32 1 2, 3 2, 0 0 3 2, 1 1: pixels; columns; taps
256 7 44 44, 34 1 2 2, 4 3, 1 1 2 1, 1 1: pixels; columns; taps
256 15 3 4, 37 1 3 3, 1 1, 0 0 1 1, 1 1: pixels; columns; taps
256 44 8 48, 62 2 3 3, 1 1, 0 0 1 1, 2 1: pixels; columns; taps
1 300 1 61, 25 1 2 3, 1 1, 2 3 2 3, 2 2: pixels; flipped, pixels; columns
120 257 7 7, 13 1 3 3, 1 1, 0 1 2 2, 1 2: pixels; flipped, pixels; columns
2 512 4 3, 1024 32 3 3, 1 1, 1 1 3 4, 1 1: pixels; flipped, pixels; taps
1 512 11 11, 1024 32 3 3, 1 1, 1 1 1 1, 1 1: pixels; flipped, direct; taps
2 512 4 4, 1024 32 3 3, 1 1, 1 1 3 4, 1 1: pixels; flipped, pixels; taps
4 11 62 62, 31 1 4 3, 1 1, 1 1 1 1, 1 1: pixels; flipped, direct; taps
4 512 68 68, 640 32 3 3, 1 1, 2 3 2 2, 1 1: pixels; flipped, direct; taps
5 512 43 43, 832 32 3 3, 1 1, 1 1 1 1, 1 1: pixels; flipped, direct; taps
120 512 9 10, 512 32 3 3, 1 1, 1 1 0 0, 1 1: pixels; flipped, direct; taps
1 300 1 61, 25 1 3 3, 1 1, 2 3 2 3, 2 2: pixels; flipped, few; columns
4 96 1 1, 384 1 4 3, 1 1, 3 3 3 4, 1 1: pixels; flipped, few; columns
1 31 43 60, 26 1 3 3, 1 1, 2 2 3 3, 1 2: pixels; flipped, pixels; columns
1 192 17 17, 256 1 1 3, 1 1, 0 0 1 1, 1 2: pixels; flipped, pixels; columns
1 512 11 11, 1024 32 3 3, 1 1, 1 1 1 1, 1 2: pixels; flipped, pixels; columns
7 300 53 53, 30 1 3 3, 1 1, 0 0 2 2, 1 2: pixels; flipped, pixels; columns
1 56 44 44, 58 2 3 3, 1 1, 2 3 1 0, 2 1: pixels; flipped, pixels; taps
2 40 24 24, 34 2 3 3, 1 1, 0 0 0 0, 1 1: pixels; flipped, pixels; taps
2 129 1 60, 63 1 3 3, 1 1, 1 1 2 2, 1 1: pixels; flipped, pixels; taps
3 512 5 5, 48 2 3 3, 1 1, 1 1 1 1, 1 1: pixels; flipped, pixels; taps
3 512 64 66, 1024 32 3 3, 1 1, 0 0 2 3, 1 1: pixels; flipped, pixels; taps
4 544 68 68, 640 32 3 3, 1 1, 2 3 2 2, 1 1: pixels; flipped, pixels; taps
8 34 9 9, 15 1 3 3, 1 1, 2 3 1 1, 1 1: pixels; flipped, pixels; taps
16 512 8 8, 1024 32 3 3, 1 1, 1 1 1 2, 1 1: pixels; flipped, pixels; taps
19 18 29 8, 20 1 3 3, 1 1, 0 0 0 0, 1 1: pixels; flipped, pixels; taps
64 27 59 2, 39 1 4 3, 1 1, 1 2 2 2, 1 1: pixels; flipped, pixels; taps
64 31 59 41, 23 1 3 3, 1 1, 1 2 1 2, 2 1: pixels; flipped, pixels; taps
64 33 14 67, 26 1 3 4, 1 1, 0 1 1 1, 1 1: pixels; flipped, pixels; taps
120 39 57 57, 29 1 3 2, 1 1, 1 2 0 1, 1 1: pixels; flipped, pixels; taps
120 96 24 24, 38 1 2 3, 1 1, 0 0 2 2, 1 1: pixels; flipped, pixels; taps
120 512 9 9, 512 32 3 3, 1 1, 1 1 0 0, 1 1: pixels; flipped, pixels; taps
256 15 4 4, 37 1 3 3, 1 1, 0 0 1 1, 1 1: pixels; flipped, pixels; taps
256 44 8 48, 62 2 3 3, 1 1, 0 0 1 1, 1 1: pixels; flipped, pixels; taps
2 31 19 19, 37 1 3 3, 1 1, 0 0 1 2, 1 1: pixels; flipped, winograd; taps
4 25 35 35, 33 1 3 3, 1 1, 2 3 2 3, 1 1: pixels; flipped, winograd; taps
120 257 7 7, 13 1 3 3, 1 1, 0 1 2 2, 1 1: pixels; flipped, winograd; taps
2 255 32 32, 128 1 5 5, 3 3, 1 1 1 1, 3 3: pixels; pixels; columns
3 22 18 13, 2048 1 3 3, 2 1, 2 2 1 1, 1 1: pixels; pixels; columns
3 96 11 11, 81 3 3 3, 3 2, 6 5 1 1, 3 3: pixels; pixels; columns
64 13 27 15, 24 1 3 3, 3 3, 2 0 3 1, 2 3: pixels; pixels; columns
1 56 44 44, 58 2 3 3, 1 2, 2 3 1 0, 2 1: pixels; pixels; taps
1 2048 8 8, 63 1 3 3, 2 1, 3 3 3 4, 1 1: pixels; pixels; taps
2 72 56 45, 45 3 3 3, 2 1, 0 1 0 0, 1 1: pixels; pixels; taps
5 512 43 43, 832 32 3 3, 1 2, 1 1 1 1, 1 1: pixels; pixels; taps
8 296 23 56, 120 8 3 3, 2 1, 0 1 0 1, 2 1: pixels; pixels; taps
16 512 8 8, 1024 32 3 3, 2 1, 1 1 1 2, 1 1: pixels; pixels; taps
19 25 12 12, 16 1 3 3, 2 1, 0 0 2 2, 1 1: pixels; pixels; taps
64 29 54 60, 192 1 1 2, 1 2, 0 0 0 0, 1 1: pixels; pixels; taps
603 96 20 20, 28 1 3 3, 1 2, 3 3 3 4, 1 1: pixels; pixels; taps
3 9 26 26, 127 1 3 3, 1 1, 1 1 1 1, 1 1: winograd; columns; winograd
5 11 512 512, 129 1 3 3, 1 1, 2 2 2 3, 1 1: winograd; columns; winograd
19 6 15 47, 255 1 3 3, 1 1, 1 2 1 1, 1 1: winograd; columns; winograd
1 8 38 49, 26 1 3 3, 1 1, 0 0 3 3, 1 1: winograd; flipped, direct; taps
4 11 62 62, 31 1 3 3, 1 1, 1 1 1 1, 1 1: winograd; flipped, direct; winograd
409 16 52 52, 30 1 3 3, 1 1, 3 4 1 1, 1 1: winograd; flipped, direct; winograd
1 128 52 1, 255 1 3 3, 1 1, 1 1 2 2, 1 1: winograd; flipped, few; winograd
1 2048 8 8, 63 1 3 3, 1 1, 3 3 3 4, 1 1: winograd; flipped, few; winograd
4 96 1 1, 384 1 3 3, 1 1, 3 3 3 4, 1 1: winograd; flipped, few; winograd
19 256 1 2, 300 1 3 3, 1 1, 2 3 1 2, 1 1: winograd; flipped, few; winograd
7 64 1 17, 384 1 3 3, 1 1, 2 2 1 1, 1 1: winograd; flipped, pixels; winograd
19 256 2 2, 300 1 3 3, 1 1, 2 3 1 2, 1 1: winograd; flipped, pixels; winograd
64 33 14 67, 26 1 3 3, 1 1, 0 1 1 1, 1 1: winograd; flipped, pixels; winograd
3 31 19 19, 37 1 3 3, 1 1, 0 0 1 2, 1 1: winograd; flipped, winograd; taps
5 96 31 31, 17 1 3 3, 1 1, 1 1 1 1, 1 1: winograd; flipped, winograd; taps
1 31 43 60, 26 1 3 3, 1 1, 2 2 3 3, 1 1: winograd; flipped, winograd; winograd
1 128 32 5, 384 1 3 3, 1 1, 1 1 0 1, 1 1: winograd; flipped, winograd; winograd
1 128 52 2, 255 1 3 3, 1 1, 1 1 2 2, 1 1: winograd; flipped, winograd; winograd
1 2048 25 25, 192 1 3 3, 1 1, 2 2 0 0, 1 1: winograd; flipped, winograd; winograd
2 31 28 28, 2048 1 3 3, 1 1, 1 1 2 2, 1 1: winograd; flipped, winograd; winograd
2 640 7 7, 2048 1 3 3, 1 1, 0 0 2 3, 1 1: winograd; flipped, winograd; winograd
3 22 18 13, 2048 1 3 3, 1 1, 2 2 1 1, 1 1: winograd; flipped, winograd; winograd
4 25 35 35, 32 1 3 3, 1 1, 2 3 2 3, 1 1: winograd; flipped, winograd; winograd
7 24 6 8, 1024 1 3 3, 1 1, 1 1 2 2, 1 1: winograd; flipped, winograd; winograd
7 256 46 46, 2048 1 3 3, 1 1, 1 2 1 2, 1 1: winograd; flipped, winograd; winograd
7 300 53 53, 30 1 3 3, 1 1, 0 0 2 2, 1 1: winograd; flipped, winograd; winograd
19 27 50 50, 64 1 3 3, 1 1, 2 2 0 0, 1 1: winograd; flipped, winograd; winograd
32 129 27 27, 256 1 3 3, 1 1, 0 0 1 1, 1 1: winograd; flipped, winograd; winograd
64 27 59 2, 39 1 3 3, 1 1, 1 2 2 2, 1 1: winograd; flipped, winograd; winograd
64 31 59 41, 23 1 3 3, 1 1, 1 2 1 2, 1 1: winograd; flipped, winograd; winograd
120 39 57 57, 29 1 3 3, 1 1, 1 2 0 1, 1 1: winograd; flipped, winograd; winograd
120 96 24 24, 38 1 3 3, 1 1, 0 0 2 2, 1 1: winograd; flipped, winograd; winograd
409 17 52 52, 30 1 3 3, 1 1, 3 4 1 1, 1 1: winograd; flipped, winograd; winograd
603 96 20 20, 28 1 3 3, 1 1, 3 3 3 4, 1 1: winograd; flipped, winograd; winograd
2 1 30 30, 24 1 1 17, 1 1, 0 0 0 0, 1 1: columns; columns; taps
2 1 30 30, 24 1 1 18, 1 1, 0 0 0 0, 1 1: pixels; columns; taps
2 1 30 30, 24 1 1 7, 1 2, 0 0 0 0, 1 1: columns; columns; taps
2 1 30 30, 24 1 1 8, 1 2, 0 0 0 0, 1 1: pixels; columns; taps
3 16 3 3, 24 1 3 3, 1 1, 0 0 0 0, 1 1: columns; columns; columns
4 16 3 3, 24 1 3 3, 1 1, 0 0 0 0, 1 1: pixels; columns; columns
1 16 130 130, 11 1 3 2, 1 1, 0 0 0 0, 1 1: columns; flipped, pixels; taps
1 16 130 130, 12 1 3 2, 1 1, 0 0 0 0, 1 1: pixels; flipped, pixels; taps
2 8 20 20, 1 1 3 3, 2 1, 0 0 0 0, 1 1: columns; columns; taps
2 8 20 20, 1 1 3 3, 2 2, 0 0 0 0, 1 1: pixels; columns; taps
8 16 8 8, 176 16 3 3, 2 2, 1 1 1 1, 1 1: direct; direct; direct
8 16 8 8, 192 16 3 3, 2 2, 1 1 1 1, 1 1: pixels; direct; direct
4 14563 3 3, 1 1 3 3, 2 2, 0 0 0 0, 1 1: pixels; columns; taps
4 14564 3 3, 1 1 3 3, 2 2, 0 0 0 0, 1 1: columns; columns; taps
2 16 20 30, 1 1 1 7, 1 2, 0 0 0 0, 1 1: pixels; columns; taps
2 16 20 30, 1 1 1 8, 1 2, 0 0 0 0, 1 1: pixels; pixels; taps
7 16 6 6, 16 1 3 3, 2 2, 1 1 1 1, 1 1: pixels; columns; taps
8 16 6 6, 16 1 3 3, 2 2, 1 1 1 1, 1 1: pixels; pixels; taps
"""
