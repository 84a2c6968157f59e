// lmcache · SPDX-License-Identifier: Apache-2.0

import KVModel
import L1Cache
import L2Storage

/// What other threads tell the second tier; taken up at its next turn.
enum SecondTierEvent: Sendable {
    case requested(PrefetchRequest)
    /// Nobody wants the result; who still waits is told that there is none.
    case abandoned(PrefetchID, [PrefetchTicket.Waiter])
    case surveyed(PrefetchID, PrefixSurvey, [TierID])
    case looked(PrefetchStep, lengths: [Int])
    case reserved(PrefetchID, [PrefetchGrid.Load], [PrefetchController.Grant])
    case loaded(PrefetchStep, [Bool])
    /// Objects that engines stored, still in the first tier.
    case stored([StoreController.Item])
    case batchEnded(StoreController.Batch, [StoreController.Ending])
    case bound(TierBindings.Key, L2Binding)
    case evicted(TierID)
    /// The server stops: prefetches end with what is there.
    case ended
}

/// What waits for a medium's manifest.
enum DeferredWork: Sendable {
    case look(PrefetchStep)
    case store(StoreController.Batch)
}
