// lmcache · SPDX-License-Identifier: Apache-2.0

import DeviceTransfer

/// Why the driver cannot be used, or what one of its calls answered.
enum CUDAFailure: Error, Equatable, CustomStringConvertible {
    /// The library is missing or cannot be loaded.
    case noDriver(path: String, reason: String)
    case missingSymbol(String)
    case oldDriver(version: Int)
    /// `name` is the driver's word for the code.
    case call(String, code: Int32, name: String)

    var description: String {
        switch self {
        case .noDriver(let path, let reason): "the CUDA driver \(path) cannot be loaded (\(reason))"
        case .missingSymbol(let symbol): "the CUDA driver is too old: it has no \(symbol)"
        case .oldDriver(let version):
            "the CUDA driver speaks CUDA \(version / 1000).\(version % 1000 / 10); "
                + "\(CUDADriver.oldestVersion / 1000).\(CUDADriver.oldestVersion % 1000 / 10) or later is needed"
        case .call(let call, let code, let name): "\(call) failed with \(name) (\(code))"
        }
    }

    var code: Int32? { if case .call(_, let code, _) = self { code } else { nil } }

    /// True when the context is lost and every later call in it fails.
    var isFatal: Bool {
        // Illegal address, launch failure and timeout, hardware errors, device unavailable, uncorrectable memory.
        switch self.code {
        case 214, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 46, 226, 721: true
        default: false
        }
    }

    var asDeviceError: DeviceError { .unavailable(self.description) }
    var asTransferFailure: TransferFailure { .device(self.description) }
}

/// The driver's codes that something is decided by.
enum CUDACode {
    static let success: Int32 = 0
    static let invalidValue: Int32 = 1
    static let outOfMemory: Int32 = 2
    static let invalidContext: Int32 = 201
    static let notFound: Int32 = 500
    static let notReady: Int32 = 600
}
