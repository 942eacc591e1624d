//! The device a model runs on, by name.

use burn::tensor::Device;

use crate::LlamaError;

/// Names of the devices compiled into this build, the default first.
pub fn device_names() -> Vec<&'static str> {
    let mut names = vec!["flex"];
    if cfg!(feature = "ndarray") {
        names.push("ndarray");
    }
    if cfg!(feature = "wgpu") {
        names.push("wgpu");
    }
    names
}

/// The device called `name`, without gradients.
///
/// # Errors
/// A name that is unknown or not compiled in; `wgpu` on a machine without a graphics adapter or a software one.
pub fn device(name: &str) -> Result<Device, LlamaError> {
    match name {
        "flex" => Ok(Device::flex()),
        #[cfg(feature = "ndarray")]
        #[allow(deprecated)] // burn's next version drops it
        "ndarray" => Ok(Device::ndarray()),
        #[cfg(feature = "wgpu")]
        "wgpu" => wgpu(),
        _ => Err(LlamaError::Device { name: name.into(), available: device_names().join(", ") }),
    }
}

/// The machine's best graphics adapter.
#[cfg(feature = "wgpu")]
fn wgpu() -> Result<Device, LlamaError> {
    let device = Device::wgpu(burn::tensor::DeviceKind::DefaultDevice);
    // burn looks for an adapter when it first computes, and panics where there is none.
    let probe = device.clone();
    let first = std::panic::catch_unwind(move || burn::tensor::Tensor::<1>::zeros([1], &probe).into_data());
    match first {
        Ok(_) => Ok(device),
        Err(_) => Err(LlamaError::NoAdapter),
    }
}

#[cfg(test)]
mod tests {
    use super::{device, device_names};

    #[test]
    fn a_device_that_is_not_compiled_in_is_refused_by_name() {
        let error = device("cuda").unwrap_err().to_string();
        assert_eq!(error, format!("unknown device `cuda`: this build has {}", device_names().join(", ")));
        assert!(device("flex").is_ok());
    }
}
