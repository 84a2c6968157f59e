// lmcache · SPDX-License-Identifier: Apache-2.0

/// What LMCache 0.5.6 answers for two layers whose 16-bit words are (7 × position + 1000 × layer) mod 32768, for the
/// blocks 3, 1, 4, 0, 2, two a chunk.
struct ChecksumGolden: Sendable {
    let format: Int
    let shape: [Int]
    let type: String
    let isLayerwise: Bool
    let digests: [[String]]

    static let all: [ChecksumGolden] = [
        ChecksumGolden(
            format: 1, shape: [2, 5, 2, 3, 4], type: "float16", isLayerwise: false,
            digests: [
                [
                    "285540df085b2f1a6d9ab086cbadc1a0",
                    "93940ab4c0203b9268473e9aa9f1af68",
                    "6066a754033c5731dd20df6bacc9fbf0",
                ]
            ]),
        ChecksumGolden(
            format: 1, shape: [2, 5, 2, 3, 4], type: "float16", isLayerwise: true,
            digests: [
                [
                    "630b720dabec9cb1df80988fc08c064b",
                    "66ab11f46bfadf37a25bbb787710b658",
                    "4d36c773bb3ff48ad766e306cc66b3b7",
                ],
                [
                    "ee05181849798d192d534ce9810b1a5b",
                    "509b452029a33a2781fabc3254d303c1",
                    "5e493a699f5598e67a67df7a92d5084b",
                ],
            ]),
        ChecksumGolden(
            format: 1, shape: [2, 5, 2, 3, 4], type: "bfloat16", isLayerwise: false,
            digests: [
                [
                    "bc7b77235cec3d4653225176c4551e87",
                    "4a1f7c91abdd3e88f35a16058c0096e9",
                    "b9f4f6a19cd76e884b11d43a39bb4a36",
                ]
            ]),
        ChecksumGolden(
            format: 1, shape: [2, 5, 2, 3, 4], type: "bfloat16", isLayerwise: true,
            digests: [
                [
                    "9ba137cfa4361b6dfb5add6f232ebeb3",
                    "424d7f7cba79e082542a816aa9ac82d6",
                    "c4817fffdd0e80dd11871f7559f542f9",
                ],
                [
                    "10b70281f5152be05df782fcc8c4f676",
                    "0e535aff34e40f02c13d45227be927c6",
                    "ac06baab637c55d36d23bbe68e3a27ae",
                ],
            ]),
        ChecksumGolden(
            format: 6, shape: [2, 5, 3, 2, 4], type: "float16", isLayerwise: false,
            digests: [
                [
                    "285540df085b2f1a6d9ab086cbadc1a0",
                    "93940ab4c0203b9268473e9aa9f1af68",
                    "6066a754033c5731dd20df6bacc9fbf0",
                ]
            ]),
        ChecksumGolden(
            format: 6, shape: [2, 5, 3, 2, 4], type: "float16", isLayerwise: true,
            digests: [
                [
                    "630b720dabec9cb1df80988fc08c064b",
                    "66ab11f46bfadf37a25bbb787710b658",
                    "4d36c773bb3ff48ad766e306cc66b3b7",
                ],
                [
                    "ee05181849798d192d534ce9810b1a5b",
                    "509b452029a33a2781fabc3254d303c1",
                    "5e493a699f5598e67a67df7a92d5084b",
                ],
            ]),
        ChecksumGolden(
            format: 6, shape: [2, 5, 3, 2, 4], type: "bfloat16", isLayerwise: false,
            digests: [
                [
                    "bc7b77235cec3d4653225176c4551e87",
                    "4a1f7c91abdd3e88f35a16058c0096e9",
                    "b9f4f6a19cd76e884b11d43a39bb4a36",
                ]
            ]),
        ChecksumGolden(
            format: 6, shape: [2, 5, 3, 2, 4], type: "bfloat16", isLayerwise: true,
            digests: [
                [
                    "9ba137cfa4361b6dfb5add6f232ebeb3",
                    "424d7f7cba79e082542a816aa9ac82d6",
                    "c4817fffdd0e80dd11871f7559f542f9",
                ],
                [
                    "10b70281f5152be05df782fcc8c4f676",
                    "0e535aff34e40f02c13d45227be927c6",
                    "ac06baab637c55d36d23bbe68e3a27ae",
                ],
            ]),
        ChecksumGolden(
            format: 2, shape: [5, 2, 2, 3, 4], type: "float16", isLayerwise: false,
            digests: [
                [
                    "de515c8b8a1fa62459502986ccff3d7b",
                    "379191af6fb4d4a8299fff578d6f7341",
                    "89080ae5a3de22235753f4b9988e17f1",
                ]
            ]),
        ChecksumGolden(
            format: 2, shape: [5, 2, 2, 3, 4], type: "float16", isLayerwise: true,
            digests: [
                [
                    "6e772cc91ec4fa31976b28872ba99094",
                    "c68cdbd85b3608912043a3bb1ea48a3d",
                    "901fb9e572afaecfe0b7b0a1820b6ef0",
                ],
                [
                    "f35872e9817396876d1caa5090e4c575",
                    "1973085782f8170361a24a1490da87cd",
                    "a804d045618e1dcbfbc1dd8299a2fbe3",
                ],
            ]),
        ChecksumGolden(
            format: 2, shape: [5, 2, 2, 3, 4], type: "bfloat16", isLayerwise: false,
            digests: [
                [
                    "3fb109e195f2dfad77f031e8fc5664ae",
                    "1183425239f1b205a5cca30e383e63df",
                    "93af98c7a37e301e0baea45659af657c",
                ]
            ]),
        ChecksumGolden(
            format: 2, shape: [5, 2, 2, 3, 4], type: "bfloat16", isLayerwise: true,
            digests: [
                [
                    "2fbaaf895ce1f96f15bea8d99d2acbb5",
                    "5c0d83ed9485b85c4caa3de7ba844ca1",
                    "1d58b9ae9045113ddbb97ca92e7595f8",
                ],
                [
                    "525d02bd17dcdc22b922f031247009c7",
                    "fa39565877af90b3146b147f044323fa",
                    "df7d9c0a2576df391ad480c58be7ab88",
                ],
            ]),
        ChecksumGolden(
            format: 7, shape: [5, 2, 3, 2, 4], type: "float16", isLayerwise: false,
            digests: [
                [
                    "de515c8b8a1fa62459502986ccff3d7b",
                    "379191af6fb4d4a8299fff578d6f7341",
                    "89080ae5a3de22235753f4b9988e17f1",
                ]
            ]),
        ChecksumGolden(
            format: 7, shape: [5, 2, 3, 2, 4], type: "float16", isLayerwise: true,
            digests: [
                [
                    "6e772cc91ec4fa31976b28872ba99094",
                    "c68cdbd85b3608912043a3bb1ea48a3d",
                    "901fb9e572afaecfe0b7b0a1820b6ef0",
                ],
                [
                    "f35872e9817396876d1caa5090e4c575",
                    "1973085782f8170361a24a1490da87cd",
                    "a804d045618e1dcbfbc1dd8299a2fbe3",
                ],
            ]),
        ChecksumGolden(
            format: 7, shape: [5, 2, 3, 2, 4], type: "bfloat16", isLayerwise: false,
            digests: [
                [
                    "3fb109e195f2dfad77f031e8fc5664ae",
                    "1183425239f1b205a5cca30e383e63df",
                    "93af98c7a37e301e0baea45659af657c",
                ]
            ]),
        ChecksumGolden(
            format: 7, shape: [5, 2, 3, 2, 4], type: "bfloat16", isLayerwise: true,
            digests: [
                [
                    "2fbaaf895ce1f96f15bea8d99d2acbb5",
                    "5c0d83ed9485b85c4caa3de7ba844ca1",
                    "1d58b9ae9045113ddbb97ca92e7595f8",
                ],
                [
                    "525d02bd17dcdc22b922f031247009c7",
                    "fa39565877af90b3146b147f044323fa",
                    "df7d9c0a2576df391ad480c58be7ab88",
                ],
            ]),
        ChecksumGolden(
            format: 3, shape: [5, 2, 7], type: "float16", isLayerwise: false,
            digests: [
                [
                    "7b336efd8553a762abbf08bc3555e5cf",
                    "6ba3dae76fd6970ac4c75cf939f1e06c",
                    "1955a28649443e684b255a15a024eed6",
                ]
            ]),
        ChecksumGolden(
            format: 3, shape: [5, 2, 7], type: "float16", isLayerwise: true,
            digests: [
                [
                    "e84d4a9c5753be876768b8398a1a7439",
                    "ea58a892bc2bacd6b6520abc5f2772ca",
                    "23c51e32e2e0e876e3de40443cfd93ab",
                ],
                [
                    "c1a1102b71d6db0da4efa654534b6c7b",
                    "1b951fa5ef1828b0d6df504f5bdeaa76",
                    "023af233171da8b80e88cabd7cc27804",
                ],
            ]),
        ChecksumGolden(
            format: 3, shape: [5, 2, 7], type: "bfloat16", isLayerwise: false,
            digests: [
                [
                    "47b39216a979c8d14f145228bf134525",
                    "4415024d68561c8cf729c7a4a4d82f05",
                    "d1008f254bd5a665651c61aca58fa732",
                ]
            ]),
        ChecksumGolden(
            format: 3, shape: [5, 2, 7], type: "bfloat16", isLayerwise: true,
            digests: [
                [
                    "78c3204a173f65f83b3bd6e1e403750a",
                    "7aa653e2c2c9678713b25ce2a466ae76",
                    "71be6443418b57bc9fb9a94256ddf29b",
                ],
                [
                    "b5cd469e87992d1357e42610f6da4158",
                    "f6c8cef6ed67d130e63d7f8d1f4f1bfc",
                    "6f2c334904bdd0d5874df56c504f97a3",
                ],
            ]),
    ]
}
