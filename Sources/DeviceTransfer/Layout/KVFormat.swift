// lmcache · SPDX-License-Identifier: Apache-2.0

/// How an engine arranges one layer's pages; the numbers are the protocol's. Wire protocol §4.1.
package enum KVFormat: Int, Sendable, CaseIterable {
    /// `NL × [2, NB, BS, NH, HS]`
    case planesBlocksSlotsHeads = 1
    /// `NL × [NB, 2, BS, NH, HS]`
    case blocksPlanesSlotsHeads = 2
    /// `NL × [NB, BS, HS]`
    case latent = 3
    /// `NL × [2, NB, NH, BS, HS]`
    case planesBlocksHeadsSlots = 6
    /// `NL × [NB, 2, NH, BS, HS]`
    case blocksPlanesHeadsSlots = 7
    /// One tensor `[NB, NL, 2, NH, BS, HS]`
    case blocksLayersPlanesHeadsSlots = 8
    /// `2 × NL × [NB, BS, NH, HS]`: all keys, then all values
    case separatePlanes = 9
    /// `NL × [NB, NH, BS, CS]`, keys and values packed in the last axis
    case packedHeadsSlots = 12
    /// `NL × [NB, BS, NH, CS]`, keys and values packed in the last axis
    case packedSlotsHeads = 13
    /// `NL × [NB, BS, NH, HS]`, each entry one component
    case component = 18

    /// The name that `/status` reports.
    package var name: String {
        switch self {
        case .planesBlocksSlotsHeads: "NL_X_TWO_NB_BS_NH_HS"
        case .blocksPlanesSlotsHeads: "NL_X_NB_TWO_BS_NH_HS"
        case .latent: "NL_X_NB_BS_HS"
        case .planesBlocksHeadsSlots: "NL_X_TWO_NB_NH_BS_HS"
        case .blocksPlanesHeadsSlots: "NL_X_NB_TWO_NH_BS_HS"
        case .blocksLayersPlanesHeadsSlots: "NB_NL_TWO_NH_BS_HS"
        case .separatePlanes: "TWO_X_NL_X_NB_BS_NH_HS"
        case .packedHeadsSlots: "NL_X_NB_NH_BS_CS"
        case .packedSlotsHeads: "NL_X_NB_BS_NH_CS"
        case .component: "NL_X_NB_BS_NH_HS"
        }
    }

    /// The axes in words, as `/status` reports them: `NL x [2, NB, BS, NH, HS]`.
    package var symbolicShape: String {
        switch self {
        case .planesBlocksSlotsHeads: "NL x [2, NB, BS, NH, HS]"
        case .blocksPlanesSlotsHeads: "NL x [NB, 2, BS, NH, HS]"
        case .latent: "NL x [NB, BS, HS]"
        case .planesBlocksHeadsSlots: "NL x [2, NB, NH, BS, HS]"
        case .blocksPlanesHeadsSlots: "NL x [NB, 2, NH, BS, HS]"
        case .blocksLayersPlanesHeadsSlots: "[NB, NL, 2, NH, BS, HS]"
        case .separatePlanes: "2 x NL x [NB, BS, NH, HS]"
        case .packedHeadsSlots: "NL x [NB, NH, BS, CS]"
        case .packedSlotsHeads: "NL x [NB, BS, NH, CS]"
        case .component: "NL x [NB, BS, NH, HS]"
        }
    }

    /// The attention backend that usually has this arrangement, as `/status` reports it.
    package var attentionBackend: String {
        switch self {
        case .planesBlocksSlotsHeads: "vLLM non-MLA flash attention"
        case .blocksPlanesSlotsHeads: "vLLM non-MLA flash infer"
        case .latent: "vLLM MLA / SGLang MLA (MP)"
        case .planesBlocksHeadsSlots: "vLLM non-MLA flash attention (HND layout)"
        case .blocksPlanesHeadsSlots: "vLLM non-MLA flash infer (HND layout)"
        case .blocksLayersPlanesHeadsSlots: "TRT-LLM cross-layer (HND layout)"
        case .separatePlanes: "SGLang MHA via MP daemon (4-D inner)"
        case .packedHeadsSlots: "vLLM non-MLA blocks-first, fused K/V (HND)"
        case .packedSlotsHeads: "vLLM non-MLA blocks-first, fused K/V (NHD)"
        case .component: "SGLang unified MP independent components"
        }
    }

    /// Keys and values as separate planes (2), or one plane.
    package var planeCount: Int {
        switch self {
        case .latent, .packedHeadsSlots, .packedSlotsHeads, .component: 1
        default: 2
        }
    }

    /// True where a block's stride may exceed its size.
    package var allowsPaddedBlocks: Bool { self.planeCount == 1 }
}
